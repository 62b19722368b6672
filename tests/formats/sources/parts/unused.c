#include "parts.h"

/* A linker that took this member would ask for a name that nobody has. */
int32_t nobody_has_this(int32_t);
int32_t unused(void) { return nobody_has_this(allocations); }
