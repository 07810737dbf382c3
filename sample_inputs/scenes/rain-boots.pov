// A pair of yellow rain boots on pale blue-grey.
#include "studio.inc"
Shoot(<-.15, 2.6, -8.6>, <-.02, .93, 0>, 18)
Lights(<-4.5, 6.5, -4.5>, 3, 1.00, 0.12)
Sweep(Paper(.68, .75, .80), 6)

#declare T_Rubber = texture { pigment { srgb <.95, .70, .04> } finish { diffuse .8 ambient 0 specular .45 roughness .012 reflection { .01, .3 fresnel on } conserve_energy } }
#declare T_Lining = texture { pigment { srgb <.52, .50, .46> } normal { bumps .3 scale .01 } finish { F_Matte } }
#declare T_Sole = texture { pigment { srgb <.36, .22, .12> } finish { F_Satin } }
#declare P = spline {
  cubic_spline
  -.1, <1.10, .02, 0> 0, <1.117, .105, 0> .02, <1.112, .18, 0> .06, <1.08, .27, 0> .15, <.98, .35, 0> .28, <.78, .41, 0> .4, <.58, .47, 0> .5, <.42, .56, 0> .58, <.32, .68, 0>
  .66, <.275, .82, 0> .74, <.262, .98, 0> .82, <.265, 1.2, 0> .9, <.275, 1.45, 0> 1, <.285, 1.82, 0> 1.1, <.29, 2.1, 0>
}
#declare Q = spline {
  cubic_spline
  -.1, <1.10, .0, 0> 0, <1.117, .10, 0> .02, <1.112, .05, 0> .06, <1.09, .02, 0> .15, <1.0, .0, 0> .28, <.80, .0, 0> .4, <.56, .0, 0> .5, <.28, .0, 0> .58, <-.06, .0, 0>
  .66, <-.30, .05, 0> .74, <-.335, .28, 0> .82, <-.275, .72, 0> .9, <-.275, 1.2, 0> 1, <-.30, 1.82, 0> 1.1, <-.31, 2.1, 0>
}
#declare W = spline {
  cubic_spline
  -.1, <.0, 0, 0> 0, <.004, 0, 0> .02, <.10, 0, 0> .06, <.19, 0, 0> .15, <.27, 0, 0> .28, <.305, 0, 0> .4, <.29, 0, 0> .5, <.26, 0, 0> .58, <.245, 0, 0>
  .66, <.24, 0, 0> .74, <.235, 0, 0> .82, <.235, 0, 0> .9, <.25, 0, 0> 1, <.27, 0, 0> 1.1, <.28, 0, 0>
}
#declare Upper = Loft(P, Q, W, 0, 1, 80, 64, .82)
#declare Lining = Loft(P, Q, W, .8, .999, 20, 48, .82)
#macro SoleOutline(Y0, Y1, G)
  prism {
    linear_sweep cubic_spline Y0, Y1, 17,
    <1.08, -.22>, <1.165, 0>, <1.08, .22>, <.82, .325>, <.5, .315>, <.22, .265>, <-.1, .27>, <-.31, .19>, <-.385, 0>,
    <-.31, -.19>, <-.1, -.27>, <.22, -.265>, <.5, -.315>, <.82, -.325>, <1.08, -.22>, <1.165, 0>, <1.08, .22>
    scale <G, 1, G>
  }
#end
#macro Boot()
  union {
    object { Upper Skin(T_Rubber) }
    object { Lining scale <.965, 1, .955> Skin(T_Lining) }
    // The rolled top and a moulded band.
    union {
      #for (I, 0, 71)
        #local A = 2*pi*I/72; #local B = 2*pi*(I + 1)/72;
        cylinder { LoftPoint(P, Q, W, .995, A, .82), LoftPoint(P, Q, W, .995, B, .82), .024 }
        sphere { LoftPoint(P, Q, W, .995, A, .82), .024 }
        cylinder { LoftPoint(P, Q, W, .955, A, .82), LoftPoint(P, Q, W, .955, B, .82), .014 }
      #end
      Skin(T_Rubber)
    }
    object { SoleOutline(.0, .075, 1) Skin(T_Rubber) }
    difference {
      object { SoleOutline(-.13, 0, .985) }
      box { <.02, -.2, -1>, <.34, -.055, 1> }
      #for (I, 0, 7) box { <.42 + I*.09, -.2, -1>, <.45 + I*.09, -.1, 1> } #end
      Skin(T_Sole)
    }
    interior { I_Glaze }
    translate y*.13
  }
#end
object { Boot() rotate y*-16 translate <-.55, 0, .42> }
object { Boot() rotate y*26 translate <-.2, 0, -.5> }
