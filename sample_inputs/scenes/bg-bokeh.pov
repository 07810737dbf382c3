// A dark walnut table at night; the lights behind it are out of focus.
#include "studio.inc"
camera { location <0, 2.0, -7> right x*image_width/image_height up y angle 44 look_at <0, 1.0, 0> }
Lights(<-4.5, 6.5, -4>, 3, .8, .05)
box {
  <-30, -.2, -12>, <30, 0, 2>
  texture {
    pigment { wood turbulence .1 color_map { [0 srgb <.36, .23, .15>] [.6 srgb <.29, .18, .11>] [1 srgb <.22, .13, .08>] } scale <1, .12, .12> rotate <4, 2, 0> }
    finish { diffuse .8 ambient 0 specular .2 roughness .03 reflection { .03, .5 fresnel on } conserve_energy }
  }
  interior { I_Glaze }
}
#declare R = seed(21);
#for (I, 0, 119)
  #local Warm = rand(R);
  #local At = <rand(R)*36 - 18, -1.6 + 5.6*rand(R), 12 + I*.02>;
  #local Radius = .14 + .36*rand(R)*rand(R);
  #local Clear = .72 - .25*rand(R);
  disc {
    At, -z, Radius
    texture {
      pigment {
        spherical
        color_map { [0 srgbt <1, .62 + .3*Warm, .30 + .5*Warm, 1>] [.25 srgbt <1, .62 + .3*Warm, .30 + .5*Warm, Clear>] [1 srgbt <1, .62 + .3*Warm, .30 + .5*Warm, Clear + .1>] }
        scale Radius translate At
      }
      finish { emission .85 diffuse 0 ambient 0 }
    }
    no_shadow no_radiosity
  }
#end
plane { z, 20 inverse texture { pigment { gradient y color_map { [0 srgb <.20, .13, .12>] [.45 srgb <.13, .10, .13>] [1 srgb <.05, .05, .09>] } scale 20 translate -y*8 } finish { emission 1 diffuse 0 ambient 0 } } no_shadow }
