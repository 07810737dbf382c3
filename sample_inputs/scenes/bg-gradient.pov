// A plain seamless sweep with a pool of light: a soft gradient.
#include "studio.inc"
Shoot(<0, 2.2, -7>, <0, .7, 0>, 32)
Lights(<-4.5, 6.5, -4>, 3, .8, .1)
Sweep(Paper(.80, .78, .84), 6)
Glow(<-1, 2, 6>, .45)
