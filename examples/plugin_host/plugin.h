/* The functions that the host provides to plugins, and those that it expects of them. */
#include <stdint.h>

/* Prints a line. */
void host_log(const char *text, uint32_t length);
/* A number from the host's settings; 0 if it has none under this key. */
int32_t host_setting(int32_t key);

enum { SETTING_LINE_WIDTH = 1 };

/* The version of this header that a plugin was compiled with. */
const int32_t plugin_api = 1;
/* Changes a text in place; returns the number of changed characters. */
int32_t plugin_run(uint8_t *text, uint32_t length);
