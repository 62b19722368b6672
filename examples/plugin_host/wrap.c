/* Breaks lines at the width of the host's settings. */
#include "plugin.h"

int32_t plugin_run(uint8_t *text, uint32_t length) {
  uint32_t width = (uint32_t)host_setting(SETTING_LINE_WIDTH), start = 0, space = 0;
  int32_t changed = 0;
  for (uint32_t at = 0; at < length; at++) {
    if (text[at] == '\n') start = at + 1;
    if (text[at] == ' ') space = at;
    if (width == 0 || at - start < width || space <= start) continue;
    text[space] = '\n';
    start = space + 1;
    changed++;
  }
  return changed;
}
