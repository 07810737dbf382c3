// A marble counter top before a pale plaster wall.
#include "studio.inc"
Shoot(<0, 2.5, -6.2>, <.14, .9, 0>, 30)
Lights(<-4.5, 6.5, -4>, 3, .95, .1)
Glow(<-1, 2, 4>, .3)
#declare T_Marble = texture {
  pigment { marble turbulence .85 octaves 7 lambda 2.2 omega .55 color_map { [0 srgb <.62, .61, .61>] [.06 srgb <.80, .79, .78>] [.25 srgb <.93, .92, .91>] [1 srgb <.95, .945, .94>] } scale 1.4 rotate y*35 }
  finish { diffuse .8 ambient 0 specular .3 roughness .01 reflection { .02, .3 fresnel on } conserve_energy }
}
box { <-20, -.3, -12>, <20, 0, 1.7> texture { T_Marble } interior { I_Glaze } }
plane { z, 3.6 inverse texture { pigment { bozo scale .5 color_map { [0 srgb <.80, .81, .80>] [1 srgb <.83, .84, .83>] } } normal { granite .04 scale .6 } finish { F_Matte } } }
plane { y, -3 texture { pigment { rgb .6 } finish { F_Matte } } }
