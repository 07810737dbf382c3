// A speckled enamel camping mug with a steel rim, on pale ochre.
#include "studio.inc"
Shoot(<0, 2.2, -6.4>, <.16, .54, 0>, 24)
Lights(<-4.5, 6, -4.5>, 3, 1.00, 0.12)
Sweep(Paper(.90, .82, .66), 6)

#declare T_Enamel = texture {
  pigment { bozo color_map { [0 srgb <.035, .17, .36>] [.735 srgb <.035, .17, .36>] [.755 srgb <.93, .94, .95>] [1 srgb <.93, .94, .95>] } scale .022 }
  finish { F_Glaze }
}
#declare T_Inside = texture { pigment { srgb <.93, .93, .91> } finish { F_Glaze } }
#declare T_Steel = texture { pigment { srgb <.62, .63, .65> } finish { F_Metal } }
union {
  difference {
    cone { <0, .02, 0>, .56, <0, 1.08, 0>, .62 }
    cone { <0, .05, 0>, .54, <0, 1.1, 0>, .602 Skin(T_Inside) }
    Skin(T_Enamel)
  }
  torus { .54, .03 translate y*.03 Skin(T_Enamel) }
  torus { .618, .027 translate y*1.08 Skin(T_Steel) }
  difference {
    sphere_sweep {
      b_spline 8,
      <.30, 1.05, 0>, .045 <.56, .93, 0>, .045 <.86, .96, 0>, .045 <1.10, .82, 0>, .045
      <1.08, .48, 0>, .045 <.86, .26, 0>, .045 <.56, .28, 0>, .045 <.30, .15, 0>, .045
      tolerance 1e-4
    }
    cone { <0, 0, 0>, .55, <0, 1.1, 0>, .61 }
    scale <1, 1, 2>
    Skin(T_Enamel)
  }
  rotate y*24
  interior { I_Glaze }
  translate -x*.1
}
