// Over-ear headphones, navy with a brass ring, standing on peach.
#include "studio.inc"
Shoot(<-.4, 2.5, -8.6>, <.02, 1.0, 0>, 17)
Lights(<-4.5, 6.5, -4.5>, 3, 1.05, 0.14)
Sweep(Paper(.93, .80, .72), 6)
#declare T_Shell = texture { pigment { srgb <.09, .14, .26> } finish { F_Satin } }
#declare T_Pad = texture { pigment { srgb <.16, .12, .11> } normal { bumps .25 scale .02 } finish { F_Matte } }
#declare T_Leather = texture { pigment { srgb <.42, .23, .13> } normal { bumps .2 scale .02 } finish { F_Satin } }
#declare T_Brass = texture { pigment { srgb <.80, .62, .34> } finish { F_Metal } }
// A cup around the x axis: its outside looks to +x.
#macro Cup()
  union {
    object { RoundDisc(.44, .20, .07) rotate z*-90 Skin(T_Shell) }
    object { RoundDisc(.26, .035, .012) rotate z*-90 translate x*.19 Skin(T_Shell) }
    torus { .30, .022 rotate z*90 translate x*.20 Skin(T_Brass) }
    union {
      torus { .33, .125 }
      cylinder { <0, -.08, 0>, <0, .08, 0>, .33 }
      rotate z*90 scale <.95, 1, 1> translate x*-.06
      Skin(T_Pad)
    }
    scale <1, 1.22, 1>
  }
#end
#macro Side()
  union {
    object { Cup() rotate z*8 translate <.78, .56, 0> }
    // Yoke and slider.
    sphere_sweep { cubic_spline 7, <.97, .35, -.52>, .035 <.96, .52, -.485>, .035 <.93, .86, -.40>, .035 <.91, 1.13, 0>, .045 <.93, .86, .40>, .035 <.96, .52, .485>, .035 <.97, .35, .52>, .035 tolerance 1e-4 Skin(T_Brass) }
    cylinder { <.905, 1.1, 0>, <.865, 1.42, 0>, .036 Skin(T_Brass) }
    sphere { <.96, .56, -.485>, .05 Skin(T_Brass) }
    sphere { <.96, .56, .485>, .05 Skin(T_Brass) }
  }
#end
union {
  object { Side() }
  object { Side() scale <-1, 1, 1> }
  sphere_sweep {
    b_spline 11,
    <.84, 1.1, 0>, .062 <.87, 1.35, 0>, .066 <.83, 1.62, 0>, .075 <.64, 1.88, 0>, .085 <.34, 2.03, 0>, .095 <0, 2.08, 0>, .1
    <-.34, 2.03, 0>, .095 <-.64, 1.88, 0>, .085 <-.83, 1.62, 0>, .075 <-.87, 1.35, 0>, .066 <-.84, 1.1, 0>, .062
    tolerance 1e-4 scale <1, 1, 1.7>
    Skin(T_Leather)
  }
  rotate y*38
  interior { I_Glaze }
  translate y*-.02
}
