#include "parts.h"

static const int16_t days_before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};

static int is_leap(int32_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

/* Days since the first of January 1970. */
int64_t day_number(int32_t year, int32_t month, int32_t day) {
  int64_t before = year - 1;
  int64_t days = before * 365 + before / 4 - before / 100 + before / 400;
  return days + days_before[month - 1] + (month > 2 && is_leap(year)) + day - 1 - 719162;
}
