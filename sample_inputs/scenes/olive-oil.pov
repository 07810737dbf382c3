// A bottle of olive oil: green glass, oil inside, paper label, black cap; on white paper.
#include "studio.inc"
Shoot(<0, 2.1, -9>, <0, 1.36, 0>, 13.2)
Lights(<-4.5, 6.5, -4>, 3, 0.95, 0.12)
Sweep(Paper(.93, .93, .92), 6)
Glow(<0, 2, 6>, .15)

#declare T_Glass = texture {
  pigment { srgbf <.66, .76, .48, .93> }
  finish { diffuse .1 ambient 0 specular .8 roughness .002 reflection { .03, .6 fresnel on } conserve_energy }
}
#declare T_Label = texture {
  pigment { image_map { png "label-oil.png" map_type 2 interpolate 2 once } scale <1, 1.05, 1> rotate y*262 translate y*.42 }
  finish { F_Matte }
}
#declare T_Cap = texture { pigment { srgb .09 } finish { F_Satin } }
#declare T_Oil = texture { pigment { srgbf <.84, .78, .30, .88> } finish { diffuse .12 ambient 0 } }
// The outline shrunk by D: 0 is the glass, .05 the oil within, filled to Top.
#macro Body(D, Top)
  #local Points = array[22] {
    <.0, D, 0>, <.2, D, 0>, <.36 - D, D, 0>, <.42 - D, D + .01, 0>, <.455 - D, D + .05, 0>, <.46 - D, D + .12, 0>,
    <.46 - D, .4, 0>, <.46 - D, .7, 0>, <.46 - D, 1.0, 0>, <.46 - D, 1.3, 0>, <.46 - D, 1.5, 0>, <.458 - D, 1.62, 0>,
    <.44 - D, 1.74, 0>, <.38 - D, 1.86, 0>, <.28 - D, 1.97, 0>, <.205 - D, 2.07, 0>, <.172 - D, 2.18, 0>, <.165 - D, 2.27, 0>,
    <.165 - D, 2.36, 0>, <.165 - D, 2.44, 0>, <.165 - D, 2.5, 0>, <.0, 2.5, 0>
  }
  #if (Top > 0)
    #for (I, 0, 21) #if (Points[I].y > Top) #local Points[I] = <(I = 21 ? 0 : Points[12].x), Top, 0>; #end #end
  #end
  #local S = TurnProfile(22, Points);
  Turn(S, 150, 120)
#end
union {
  #if (Mask)
    object { Body(0, 0) }
  #else
    object { Body(0, 0) texture { T_Glass } interior { ior 1.5 fade_distance .35 fade_power 1.5 fade_color srgb <.34, .48, .16> } }
    object { Body(.05, 1.8) texture { T_Oil } interior { ior 1.4 } }
  #end
  difference {
    cylinder { <0, .42, 0>, <0, 1.47, 0>, .4635 }
    cylinder { <0, .4, 0>, <0, 1.5, 0>, .4615 }
    Skin(T_Label)
  }
  union {
    cylinder { <0, 2.28, 0>, <0, 2.66, 0>, .178 }
    torus { .163, .015 translate y*2.66 }
    cylinder { <0, 2.66, 0>, <0, 2.675, 0>, .163 }
    torus { .176, .014 translate y*2.28 }
    Skin(T_Cap)
  }
  torus { .178, .006 translate y*2.42 Skin(texture { pigment { srgb <.75, .62, .3> } finish { F_Metal } }) }
  #if (Mask) texture { T_Mask } #end
}
