/* Numbers that all threads together have looked at, whatever version they ran. */
#include <stdint.h>

int64_t examined;
int64_t examined_so_far(void) { return __atomic_load_n(&examined, __ATOMIC_RELAXED); }
