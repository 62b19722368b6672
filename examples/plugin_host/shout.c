/* Turns small letters into capitals. */
#include "plugin.h"

int32_t plugin_run(uint8_t *text, uint32_t length) {
  int32_t changed = 0;
  for (uint32_t at = 0; at < length; at++) {
    if (text[at] < 'a' || text[at] > 'z') continue;
    text[at] -= 'a' - 'A';
    changed++;
  }
  if (changed > 0) host_log("louder now", 10);
  return changed;
}
