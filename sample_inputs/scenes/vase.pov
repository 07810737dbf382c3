// A teal-glazed vase with a raw clay foot, on warm sand.
#include "studio.inc"
Shoot(<0, 2.4, -8.4>, <0, 1.06, 0>, 13)
Lights(<-4.5, 6.5, -4>, 3, 1.00, 0.12)
Sweep(Paper(.88, .82, .74), 6)
Glow(<0, 2, 6>, .25)
#declare T_Clay = texture { pigment { granite color_map { [0 srgb <.66, .47, .34>] [1 srgb <.78, .58, .44>] } scale .3 } normal { granite .08 scale .2 } finish { F_Matte } }
#declare T_Teal = texture {
  pigment { gradient y turbulence .05 color_map { [0 srgb <.06, .34, .36>] [.5 srgb <.10, .48, .48>] [.85 srgb <.16, .56, .54>] [1 srgb <.50, .60, .50>] } scale 2.25 }
  finish { F_Glaze }
}
#declare T_Vase = texture {
  gradient y turbulence .004 texture_map { [0 T_Clay] [.155 T_Clay] [.157 T_Teal] [1 T_Teal] } scale 2.3
}
#declare Points = array[21] {
  <0, 0, 0>, <.30, 0, 0>, <.355, .012, 0>, <.39, .09, 0>, <.47, .3, 0>, <.62, .62, 0>, <.68, .95, 0>, <.60, 1.27, 0>, <.36, 1.56, 0>, <.22, 1.80, 0>,
  <.21, 1.98, 0>, <.285, 2.19, 0>, <.30, 2.21, 0>, <.305, 2.22, 0>, <.285, 2.225, 0>, <.25, 2.18, 0>, <.175, 1.98, 0>, <.18, 1.80, 0>, <.30, 1.55, 0>, <.5, 1.2, 0>, <0, .6, 0>
}
#declare S = TurnProfile(21, Points)
object {
  Turn(S, 200, 160)
  Skin(T_Vase)
  interior { I_Glaze }
}
