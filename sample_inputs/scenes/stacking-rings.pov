// A stacking-ring toy; its photo is the cut-out PNG of the set.
#include "studio.inc"
Shoot(<0, 2.5, -8>, <0, .90, 0>, 14.6)
Lights(<-4.5, 6.5, -4.5>, 3, 1.00, 0.14)
Sweep(Paper(.90, .90, .90), 6)
#macro Painted(R, G, B) texture { pigment { srgb <R, G, B> } finish { F_Satin } } #end
#declare T_Beech = texture {
  pigment { wood turbulence .06 color_map { [0 srgb <.88, .69, .46>] [.5 srgb <.82, .62, .40>] [.9 srgb <.76, .55, .33>] [1 srgb <.86, .67, .44>] } scale .12 rotate <4, 20, 88> translate <.1, .3, .1> }
  finish { F_Satin }
}
union {
  object { RoundDisc(.82, .16, .06) Skin(T_Beech) }
  torus { .50, .155 translate <0, .30, 0> Skin(Painted(.20, .36, .62)) }
  torus { .45, .145 translate <.01, .57, 0> Skin(Painted(.22, .58, .56)) }
  torus { .40, .135 translate <-.01, .82, .01> Skin(Painted(.95, .74, .22)) }
  torus { .345, .125 translate <.01, 1.06, 0> Skin(Painted(.92, .48, .20)) }
  torus { .29, .115 translate <0, 1.28, 0> Skin(Painted(.82, .22, .22)) }
  cylinder { <0, .1, 0>, <0, 1.5, 0>, .14 Skin(T_Beech) }
  sphere { <0, 1.62, 0>, .27 Skin(T_Beech) }
  rotate y*10
  interior { I_Glaze }
}
