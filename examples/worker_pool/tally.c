/* Counts the numbers that all threads together have examined, in every version of their code. */
#include <stdint.h>

int64_t examined;
int64_t examined_so_far(void) { return __atomic_load_n(&examined, __ATOMIC_RELAXED); }
