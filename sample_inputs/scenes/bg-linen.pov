// A linen cloth on a table, falling softly into folds behind.
#include "studio.inc"
Shoot(<0, 2.6, -8.6>, <0, 1.25, 0>, 15.5)
Lights(<-4.5, 6.5, -4>, 3, .9, .1)
#declare T_Linen = texture {
  pigment { granite color_map { [0 srgb <.86, .82, .75>] [1 srgb <.93, .90, .84>] } scale .5 }
  normal { average normal_map { [1 gradient x .5 sine_wave scale .03] [1 gradient y .5 sine_wave scale .03] [1 bumps .5 scale <.9, 1.6, .9>] } }
  finish { F_Matte }
}
#declare Fold = function(x, y) { .10*sin(x*2.3 + .5*sin(y*.6)) + .05*sin(x*5.1 + 1.3 + .7*sin(y*.5)) }
#declare Steps = 160;
#macro Cloth(U, V)  // V: 0..1 table towards us to the wall, 1..3 up the wall
  #local D = max(0, min(1, (V - .7)/.8));
  #local A = D*pi/2;
  (V < .7 ? <U, 0, -9 + V/.7*10> : <U, 1.2*(1 - cos(A)) + max(0, V - 1.5)*4, 1 + 1.2*sin(A) - Fold(U, V*3)*D*D>)
#end
mesh {
  #for (I, 0, Steps - 1) #for (J, 0, Steps - 1)
    #local A = Cloth(-6 + 12*I/Steps, 3*J/Steps);
    #local B = Cloth(-6 + 12*(I + 1)/Steps, 3*J/Steps);
    #local C = Cloth(-6 + 12*(I + 1)/Steps, 3*(J + 1)/Steps);
    #local D = Cloth(-6 + 12*I/Steps, 3*(J + 1)/Steps);
    triangle { A, B, C } triangle { A, C, D }
  #end #end
  texture { T_Linen }
}
