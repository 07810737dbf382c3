// A brass desk lamp with an opal bulb, on charcoal.
#include "studio.inc"
Shoot(<0, 2.3, -9>, <.02, 1.38, 0>, 15)
Lights(<-4.5, 6.5, -4.5>, 3, 1.05, 0.15)
Sweep(Paper(.17, .18, .20), 6)
Glow(<0, 2, 6>, 1.1)
#declare T_Brass = texture { pigment { srgb <.88, .68, .36> } finish { diffuse .5 ambient 0 specular .7 roughness .02 metallic reflection { .4 metallic } conserve_energy } }
#declare T_Inner = texture { pigment { srgb <.96, .93, .86> } finish { diffuse .8 emission .25 ambient 0 } }
#declare T_Bulb = texture { pigment { srgb <1, .95, .84> } finish { emission 1.1 diffuse .2 ambient 0 } }
#declare Head = union {
  difference {
    lathe { cubic_spline 9, <.0, .58>, <.10, .56>, <.12, .46>, <.2, .36>, <.36, .22>, <.50, .02>, <.50, -.02>, <.48, -.02>, <.44, .0> Skin(T_Brass) }
    cylinder { <0, -1, 0>, <0, -.015, 0>, 1 Skin(T_Inner) }
  }
  cone { <0, -.014, 0>, .487, <0, -.010, 0>, .48 Skin(T_Inner) }
  sphere { <0, -.04, 0>, .2 Skin(T_Bulb) }
  cylinder { <0, .5, 0>, <0, .68, 0>, .085 Skin(T_Brass) }
  torus { .07, .015 translate y*.68 Skin(T_Brass) }
}
union {
  object { RoundDisc(.56, .1, .03) Skin(T_Brass) }
  sphere { <0, .1, 0>, .11 Skin(T_Brass) }
  cylinder { <0, .1, 0>, <-.50, 1.35, 0>, .045 Skin(T_Brass) }
  sphere { <-.50, 1.35, 0>, .1 Skin(T_Brass) }
  cylinder { <-.50, 1.35, -.13>, <-.50, 1.35, .13>, .06 Skin(T_Brass) }
  cylinder { <-.50, 1.35, 0>, <.06, 2.6, 0>, .045 Skin(T_Brass) }
  sphere { <.06, 2.6, 0>, .085 Skin(T_Brass) }
  object { Head translate y*-.66 rotate z*38 rotate y*-8 translate <.06, 2.62, 0> }
  rotate y*14
  translate x*.02
}
