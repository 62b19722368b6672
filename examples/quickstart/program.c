/* A program; the header of its module has the entry point. */
int start(void) { return 7; }
