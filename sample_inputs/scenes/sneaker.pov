// A canvas sneaker with white laces and rubber sole, on sky blue.
#include "studio.inc"
Shoot(<-.9, 2.0, -7.4>, <.16, .46, 0>, 22.5)
Lights(<-4.5, 6.5, -4.5>, 3, 1.00, 0.12)
Sweep(Paper(.58, .72, .84), 6)
#declare T_Canvas = texture { pigment { srgb <.70, .16, .13> } normal { quilted .25 scale .018 } finish { F_Matte } }
#declare T_Rubber = texture { pigment { srgb <.94, .92, .87> } finish { F_Satin } }
#declare T_Lining = texture { pigment { srgb <.80, .74, .64> } finish { F_Matte } }
#declare T_Lace = texture { pigment { srgb <.95, .94, .91> } normal { bumps .3 scale .01 } finish { F_Matte } }
#declare T_Line = texture { pigment { srgb <.10, .16, .34> } finish { F_Satin } }
#declare T_Eyelet = texture { pigment { srgb <.75, .75, .76> } finish { F_Metal } }
#declare P = spline {
  cubic_spline
  -.1, <1.36, .10, 0> 0, <1.365, .105, 0> .02, <1.355, .19, 0> .06, <1.31, .29, 0> .15, <1.19, .37, 0> .28, <.93, .42, 0> .4, <.68, .49, 0> .5, <.47, .60, 0> .6, <.26, .74, 0>
  .7, <.07, .87, 0> .8, <-.04, .96, 0> .9, <-.09, 1.02, 0> 1, <-.11, 1.08, 0> 1.1, <-.12, 1.12, 0>
}
#declare Q = spline {
  cubic_spline
  -.1, <1.36, .0, 0> 0, <1.365, .10, 0> .02, <1.355, .05, 0> .06, <1.33, .04, 0> .15, <1.21, .04, 0> .28, <.97, .04, 0> .4, <.70, .04, 0> .5, <.46, .04, 0> .6, <.2, .04, 0>
  .7, <-.2, .04, 0> .8, <-.66, .04, 0> .9, <-.97, .22, 0> 1, <-.93, .90, 0> 1.1, <-.9, 1.2, 0>
}
#declare W = spline {
  cubic_spline
  -.1, <.0, 0, 0> 0, <.004, 0, 0> .02, <.11, 0, 0> .06, <.21, 0, 0> .15, <.315, 0, 0> .28, <.375, 0, 0> .4, <.36, 0, 0> .5, <.33, 0, 0> .6, <.305, 0, 0>
  .7, <.29, 0, 0> .8, <.285, 0, 0> .9, <.275, 0, 0> 1, <.24, 0, 0> 1.1, <.23, 0, 0>
}
#declare Upper = Loft(P, Q, W, 0, 1, 80, 64, .85)
#macro Outline(Y0, Y1)
  prism {
    linear_sweep cubic_spline Y0, Y1, 17,
    <1.34, -.24>, <1.435, 0>, <1.34, .24>, <1.0, .40>, <.6, .375>, <.2, .325>, <-.4, .315>, <-.86, .24>, <-1.02, 0>,
    <-.86, -.24>, <-.4, -.315>, <.2, -.325>, <.6, -.375>, <1.0, -.40>, <1.34, -.24>, <1.435, 0>, <1.34, .24>
  }
#end
// A point on the instep: T along the spline, V across (-1..1, in half widths).
#macro Instep(T, V, Up)
  #local Ang = asin(max(-1, min(1, 1 - abs(V)*.55)));
  (LoftPoint(P, Q, W, T, (V < 0 ? pi - Ang : Ang), .85) + y*Up)
#end
union {
  object { Upper Skin(T_Canvas) }
  // The foot's opening.
  object { Loft(P, Q, W, .85, 1, 12, 48, .85) scale <.965, 1, .94> translate -x*.015 Skin(T_Lining) }
  union {
    #for (I, 0, 71)
      cylinder { LoftPoint(P, Q, W, 1, 2*pi*I/72, .85), LoftPoint(P, Q, W, 1, 2*pi*(I + 1)/72, .85), .03 }
      sphere { LoftPoint(P, Q, W, 1, 2*pi*I/72, .85), .03 }
    #end
    Skin(T_Rubber)
  }
  object { Outline(-.10, .10) Skin(T_Rubber) }
  object { Outline(.02, .045) scale <1.003, 1, 1.006> Skin(T_Line) }
  // Toe cap.
  object { Upper scale <1.012, 1.02, 1.03> clipped_by { plane { -x, -1.0 } } Skin(T_Rubber) }
  // Tongue, eyelets, laces.
  #for (I, 0, 5)
    #local T = .36 + I*.062;
    sphere_sweep {
      cubic_spline 7,
      Instep(T, -.62, .0), .03 Instep(T, -.5, .02), .032 Instep(T + .008, -.25, .035), .034 Instep(T + .012, 0, .04), .034
      Instep(T + .008, .25, .035), .034 Instep(T, .5, .02), .032 Instep(T, .62, .0), .03
      tolerance 1e-3 Skin(T_Lace)
    }
    #for (S, -1, 1, 2)
      sphere { Instep(T, S*.52, .005), .038 Skin(T_Eyelet) }
    #end
  #end
  translate y*.10
  rotate y*-14
  interior { I_Glaze }
}
