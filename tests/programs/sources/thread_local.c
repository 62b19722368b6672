/* Thread-local variables, set anew before they are read: a version has its own. */
#include <pthread.h>
#include <stdio.h>
static __thread int mine = 3;
static __thread double zeroed;
__thread char visible[5] = "tls";
static void *work(void *argument) { mine += *(int *)argument; zeroed += mine; visible[0] = 'T'; return (void *)(long)(mine * 10 + (int)zeroed); }
int main(void) {
  pthread_t thread;
  void *result;
  int by = 4;
  if (pthread_create(&thread, NULL, work, &by) != 0) return 99;
  pthread_join(thread, &result);
  mine = mine > 3 ? 3 : mine;
  mine++;
  printf("%d %g %s %ld\n", mine, zeroed, visible, (long)result);
  return mine;
}
