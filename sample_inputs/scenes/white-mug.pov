// A white stoneware mug on deep teal.
#include "studio.inc"
Shoot(<0, 2.5, -6.2>, <.18, .68, 0>, 22)
Lights(<-4.5, 6.5, -4>, 3, 0.95, 0.11)
Sweep(Paper(.22, .42, .50), 6)

#declare T_Stone = texture { pigment { srgb <.98, .97, .955> } finish { F_Satin } }
#declare T_Foot = texture { pigment { srgb <.80, .64, .46> } normal { granite .1 scale .05 } finish { F_Matte } }
union {
  difference {
    union {
      cylinder { <0, .20, 0>, <0, 1.34, 0>, .62 }
    }
    cylinder { <0, .12, 0>, <0, 2, 0>, .565 }
    Skin(T_Stone)
  }
  torus { .5925, .0275 translate y*1.34 Skin(T_Stone) }
  // The unglazed foot, warm against the teal.
  union {
    cylinder { <0, .10, 0>, <0, .205, 0>, .617 }
    torus { .517, .10 translate y*.10 }
    cylinder { <0, 0, 0>, <0, .1, 0>, .517 }
    Skin(T_Foot)
  }
  difference {
    sphere_sweep {
      b_spline 8,
      <.30, 1.35, 0>, .07 <.52, 1.17, 0>, .075 <.86, 1.19, 0>, .075 <1.13, 1.0, 0>, .075
      <1.10, .62, 0>, .075 <.86, .33, 0>, .075 <.52, .36, 0>, .075 <.30, .25, 0>, .07
      tolerance 1e-4
    }
    cylinder { <0, 0, 0>, <0, 2, 0>, .6 }
    scale <1, 1, 1.35>
    Skin(T_Stone)
  }
  rotate y*18
  interior { I_Glaze }
  translate -x*.12
}
