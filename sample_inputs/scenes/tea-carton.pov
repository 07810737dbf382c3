// A printed tea carton, three-quarter view, on powder blue.
#include "studio.inc"
Shoot(<0, 2.6, -8.4>, <0, .93, 0>, 15.8)
Lights(<-4.5, 6.5, -4.5>, 3, 1.00, 0.12)
Sweep(Paper(.72, .79, .88), 6)

#declare F_Card = finish { diffuse .85 ambient 0 specular .1 roughness .05 reflection { 0, .05 fresnel on } conserve_energy }
#declare T_Front = texture { pigment { image_map { png "carton-front.png" interpolate 2 once } scale <1.3, 1.9, 1> translate <-.65, 0, 0> } finish { F_Card } }
#declare T_Side = texture { pigment { image_map { png "carton-side.png" interpolate 2 once } scale <.8, 1.9, 1> translate <-.4, 0, 0> } finish { F_Card } }
#declare T_Plain = texture { pigment { srgb <.06, .24, .22> } finish { F_Card } }
#declare E = .012;
union {
  // Rounded core, then the printed panels a hair proud of it.
  union {
    box { <-.65, E, -.4 + E>, <.65, 1.9 - E, .4 - E> }
    box { <-.65 + E, 0, -.4 + E>, <.65 - E, 1.9, .4 - E> }
    box { <-.65 + E, E, -.4>, <.65 - E, 1.9 - E, .4> }
    #for (SX, -1, 1, 2) #for (SZ, -1, 1, 2)
      cylinder { <SX*(.65 - E), E, SZ*(.4 - E)>, <SX*(.65 - E), 1.9 - E, SZ*(.4 - E)>, E }
    #end #end
    #for (SY, 0, 1) #for (SZ, -1, 1, 2)
      cylinder { <-.65 + E, E + SY*(1.9 - 2*E), SZ*(.4 - E)>, <.65 - E, E + SY*(1.9 - 2*E), SZ*(.4 - E)>, E }
    #end #end
    #for (SY, 0, 1) #for (SX, -1, 1, 2)
      cylinder { <SX*(.65 - E), E + SY*(1.9 - 2*E), -.4 + E>, <SX*(.65 - E), E + SY*(1.9 - 2*E), .4 - E>, E }
    #end #end
    Skin(T_Plain)
  }
  box { <-.65 + E, E, -.4005>, <.65 - E, 1.9 - E, -.39> Skin(T_Front) }
  box { <-.4 + E, E, -.6505>, <.4 - E, 1.9 - E, -.64> Skin(T_Side) rotate y*-90 }
  box { <-.4 + E, E, -.6505>, <.4 - E, 1.9 - E, -.64> Skin(T_Side) rotate y*90 }
  // The tuck flap's fold.
  box { <-.6, 1.9, .30>, <.6, 1.9015, .306> Skin(texture { pigment { srgb <.02, .1, .09> } }) }
  rotate y*32
}
