// A table of wide oak planks before a dim, warm wall.
#include "studio.inc"
Shoot(<0, 2.9, -6.2>, <0, .85, 0>, 30)
Lights(<-4.5, 6.5, -3.5>, 3, 1.0, .1)
Glow(<-1.2, 2.4, 4>, .5)
#declare R = seed(7);
#for (I, -14, 14)
  #declare Tone = .92 + .16*rand(R);
  box {
    <I*.82 + .008, -.2, -12>, <(I + 1)*.82 - .008, 0, 2.4>
    texture {
      pigment {
        wood turbulence .12 octaves 5
        color_map { [0 srgb <.63, .46, .31>*Tone] [.5 srgb <.54, .38, .25>*Tone] [.88 srgb <.47, .32, .20>*Tone] [1 srgb <.60, .44, .29>*Tone] }
        scale <.13, .13, 1> rotate <2 + 3*rand(R), 2*rand(R), 0> translate <rand(R)*9, rand(R)*3, rand(R)*9>
      }
      normal { wood .12 turbulence .12 scale <.04, .04, .5> }
      finish { F_Satin }
    }
    interior { I_Glaze }
  }
#end
box { <-20, -.3, -12>, <20, -.1, 2.4> texture { pigment { srgb .05 } } }
plane { z, 4.2 inverse texture { pigment { srgb <.62, .60, .56> } normal { granite .05 scale .8 } finish { F_Matte } } }
plane { y, -3 texture { pigment { rgb .5 } finish { F_Matte } } }
