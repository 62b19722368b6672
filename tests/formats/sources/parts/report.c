#include "parts.h"

void (*reporter)(const char *event, int64_t value);

void report(const char *event, int64_t value) {
  if (reporter != NULL) reporter(event, value);
}
