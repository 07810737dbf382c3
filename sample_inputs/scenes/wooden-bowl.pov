// A turned olive-wood bowl with three lemons, on warm white.
#include "studio.inc"
#include "functions.inc"
Shoot(<0, 3.2, -6.2>, <0, .46, 0>, 24)
Lights(<-4.5, 6.5, -3.5>, 3, 1.00, 0.12)
Sweep(Paper(.90, .87, .82), 6)
Glow(<0, 2.2, 6>, .35)

#declare T_Olive = texture {
  pigment {
    wood turbulence .09 octaves 5 lambda 2.6
    color_map { [0 srgb <.66, .44, .24>] [.35 srgb <.58, .36, .18>] [.7 srgb <.70, .49, .28>] [.86 srgb <.40, .22, .10>] [1 srgb <.62, .40, .21>] }
    scale .17 rotate <6, 28, 84> translate <.3, .2, .7>
  }
  finish { F_Satin }
}
#declare T_Lemon = texture {
  pigment { granite color_map { [0 srgb <.96, .77, .10>] [1 srgb <.99, .86, .22>] } scale .5 }
  normal { bumps .35 scale .025 }
  finish { F_Satin }
}
#macro Lemon()
  union {
    sphere { 0, .33 scale <1.18, 1, 1> }
    sphere_sweep { linear_spline 3, <.30, 0, 0>, .16 <.40, 0, 0>, .075 <.445, 0, 0>, .045 }
    sphere_sweep { linear_spline 2, <-.32, 0, 0>, .14 <-.41, 0, 0>, .05 }
    Skin(T_Lemon)
  }
#end
#declare Points = array[15] {
  <.0, .02, 0>, <.25, .02, 0>, <.47, .03, 0>, <.62, .08, 0>, <.82, .2, 0>, <1.03, .43, 0>, <1.15, .70, 0>, <1.165, .78, 0>, <1.14, .80, 0>,
  <1.10, .76, 0>, <.97, .47, 0>, <.74, .25, 0>, <.5, .15, 0>, <.25, .115, 0>, <.0, .11, 0>
}
#declare S = TurnProfile(15, Points)
union {
  object {
    Turn(S, 160, 160)
    Skin(T_Olive)
  }
  cylinder { <0, 0, 0>, <0, .08, 0>, .47 Skin(T_Olive) }
  object { Lemon() rotate <0, 25, 14> translate <-.36, .56, .05> }
  object { Lemon() rotate <0, -40, -8> translate <.37, .55, .2> }
  object { Lemon() rotate <10, 80, 6> translate <.12, .60, -.38> }
  interior { I_Glaze }
}
