// A wooden toy racing car, red and beech, on mint.
#include "studio.inc"
Shoot(<-1.9, 2.0, -7.6>, <-.06, .49, 0>, 25)
Lights(<-4.5, 6.5, -4.5>, 3, 1.00, 0.12)
Sweep(Paper(.73, .85, .79), 6)
#declare T_Beech = texture {
  pigment { wood turbulence .06 color_map { [0 srgb <.86, .66, .42>] [.5 srgb <.80, .59, .36>] [.9 srgb <.74, .52, .30>] [1 srgb <.84, .64, .40>] } scale .1 rotate y*88 translate <0, .3, .1> }
  finish { F_Satin }
}
#declare T_Red = texture { pigment { srgb <.80, .10, .08> } finish { F_Glaze } }
#declare T_Dark = texture { pigment { srgb <.13, .12, .12> } finish { F_Satin } }
#macro Wheel(R)
  union {
    object { RoundDisc(R, .2, .04) Skin(T_Dark) }
    object { RoundDisc(R*.62, .215, .01) Skin(T_Beech) }
    object { RoundDisc(.06, .25, .02) Skin(T_Red) }
    rotate x*-90
    translate y*R
  }
#end
#declare Profile = prism {
  bezier_spline -.34, .34, 32,
  <-1.42, .20>, <-1.42, .34>, <-1.40, .62>, <-1.22, .66>,
  <-1.22, .66>, <-1.0, .70>, <-.80, .74>, <-.62, .86>,
  <-.62, .86>, <-.42, 1.0>, <-.20, .98>, <-.10, .80>,
  <-.10, .80>, <-.04, .68>, <.02, .62>, <.16, .62>,
  <.16, .62>, <.6, .60>, <1.1, .52>, <1.36, .36>,
  <1.36, .36>, <1.46, .30>, <1.46, .20>, <1.34, .16>,
  <1.34, .16>, <.5, .14>, <-.5, .14>, <-1.36, .14>,
  <-1.36, .14>, <-1.40, .14>, <-1.42, .16>, <-1.42, .20>
  rotate x*-90
}
union {
  object { Profile Skin(T_Red) }
  box { <-1.5, .3, -.36>, <1.2, .42, .36> Skin(T_Beech) translate x*.05 }
  // Driver.
  sphere { <.02, .93, 0>, .2 Skin(T_Beech) }
  difference { sphere { <.02, .95, 0>, .22 } box { <-1, 0, -1>, <1, .93, 1> rotate z*12 translate <0, .02, 0> } Skin(texture { pigment { srgb <.95, .93, .88> } finish { F_Glaze } }) }
  cylinder { <0, .55, 0>, <0, .8, 0>, .13 Skin(T_Beech) }
  #for (S, -1, 1, 2)
    object { Wheel(.36) #if (S > 0) rotate y*180 #end translate <-.86, 0, S*.36> }
    object { Wheel(.29) #if (S > 0) rotate y*180 #end translate <.86, 0, S*.36> }
  #end
  rotate y*14
  interior { I_Glaze }
}
