/* Does the same as shout.c, but nobody whom the host trusts has signed it. */
#include "shout.c"
