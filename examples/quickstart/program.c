/* A program: the module's header says where it starts. */
int start(void) { return 7; }
