// A concrete wall with formwork holes above a concrete floor.
#include "studio.inc"
Shoot(<0, 2.6, -8.4>, <0, 1.15, 0>, 19)
Lights(<-4.5, 6.5, -4.5>, 3, .9, .1)
Glow(<-1, 2.4, 3>, .45)
#macro Concrete(C)
  texture {
    pigment { granite turbulence .3 color_map { [0 srgb C*.92] [.4 srgb C] [1 srgb C*1.05] } scale 1.8 }
    normal { granite .07 scale .5 }
    finish { F_Matte }
  }
  texture { pigment { bozo turbulence .8 color_map { [0 rgbt <.2, .2, .2, .93>] [.5 rgbt 1] [1 rgbt <1, 1, 1, .95>] } scale 1.1 } }
#end
plane { y, 0 Concrete(<.60, .59, .57>) }
difference {
  plane { z, 1.9 inverse }
  #for (I, -6, 6) #for (J, 0, 3)
    cylinder { <I*2 + 1, .75 + J*1.5, 1>, <I*2 + 1, .75 + J*1.5, 2.05>, .055 }
  #end #end
  #for (I, -6, 6) box { <I*2 - .006, -1, 1>, <I*2 + .006, 12, 1.915> } #end
  box { <-20, 2.244, 1>, <20, 2.256, 1.915> }
  Concrete(<.68, .67, .65>)
}
