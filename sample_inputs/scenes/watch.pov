// A steel wristwatch with a leather strap, on apricot.
#include "studio.inc"
Shoot(<-.9, 2.4, -7.2>, <.02, .68, 0>, 15.4)
Lights(<-4.5, 6.5, -4.5>, 3, 1.00, 0.14)
Sweep(Paper(.93, .80, .66), 6)
Glow(<0, 2, 6>, .25)
#declare T_Steel = texture { pigment { srgb <.78, .81, .86> } finish { diffuse .6 ambient 0 specular .7 roughness .02 metallic reflection { .16 metallic } conserve_energy } }
#declare T_Dial = texture { pigment { image_map { png "watch-dial.png" interpolate 2 once } translate <-.5, -.5, 0> scale .84 } finish { diffuse .85 ambient 0 specular .2 roughness .02 } }
#declare T_Strap = texture { pigment { bozo color_map { [0 srgb <.36, .18, .09>] [1 srgb <.43, .22, .12>] } scale .1 } normal { wrinkles .25 scale .04 } finish { F_Satin } }
#declare T_Stitch = texture { pigment { srgb <.88, .80, .66> } finish { F_Matte } }
#declare T_White = texture { pigment { srgb <.94, .94, .92> } finish { F_Satin } }
#declare A = .60;  // half depth of the strap's loop
#declare B = .66;  // half height
#declare Strap = difference {
  cylinder { <-.27, 0, 0>, <.27, 0, 0>, 1 scale <1, B, A> }
  cylinder { <-.5, 0, 0>, <.5, 0, 0>, 1 scale <1, B - .05, A - .05> }
}
#declare Head = union {
  object { RoundDisc(.47, .17, .03) rotate x*-90 Skin(T_Steel) }       // from z = 0 towards the camera
  difference {
    cone { <0, 0, -.16>, .46, <0, 0, -.22>, .425 }
    cylinder { <0, 0, -.3>, <0, 0, -.15>, .405 }
    Skin(T_Steel)
  }
  cylinder { <0, 0, -.165>, <0, 0, -.176>, .41 Skin(T_Dial) }
  // Hands at ten past ten, seconds at thirty-three.
  box { <-.017, -.05, -.186>, <.017, .21, -.182> rotate z*55 Skin(T_White) }
  box { <-.013, -.06, -.192>, <.013, .31, -.188> rotate z*-62 Skin(T_White) }
  box { <-.005, -.09, -.198>, <.005, .33, -.195> rotate z*-200 Skin(texture { pigment { srgb <.86, .20, .10> } finish { F_Satin } }) }
  cylinder { <0, 0, -.2>, <0, 0, -.18>, .024 Skin(T_White) }
  union { // crown
    cylinder { <.46, 0, -.085>, <.56, 0, -.085>, .06 }
    #for (I, 0, 17) cylinder { <.49, .06, 0>, <.56, .06, 0>, .008 rotate x*I*20 translate z*-.085 } #end
    Skin(T_Steel)
  }
  #for (SX, -1, 1, 2) #for (SY, -1, 1, 2)
    sphere_sweep { b_spline 5, <SX*.29, SY*.2, -.06>, .07 <SX*.30, SY*.32, -.06>, .07 <SX*.31, SY*.40, -.03>, .065 <SX*.315, SY*.46, .04>, .055 <SX*.315, SY*.49, .10>, .05 tolerance 1e-4 Skin(T_Steel) }
  #end #end
}
union {
  object { Strap Skin(T_Strap) }
  #for (I, 0, 89) #for (S, -1, 1, 2)
    #local T = I*4;
    sphere { 0, .013 scale <.7, 1, 2.2> rotate x*T translate <S*.235, B*1.002*cos(radians(T)), -A*1.002*sin(radians(T))> Skin(T_Stitch) }
  #end #end
  object { Head translate z*-(A - .06) }
  rotate x*16
  rotate y*22
  translate y*(B + .008)
  scale 1.02
}
