/* Imports more than the host allows: the environment, with its secrets. */
#include "plugin.h"

char *getenv(const char *name);

int32_t plugin_run(uint8_t *text, uint32_t length) {
  const char *secret = getenv("SECRET");
  if (secret != 0) host_log(secret, length);
  return text != 0;
}
