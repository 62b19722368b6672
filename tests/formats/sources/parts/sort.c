#include "parts.h"

static void exchange(const char **a, const char **b) {
  const char *kept = *a;
  *a = *b, *b = kept;
}

void sort_words(const char **words, size_t count) {
  if (count < 2) return;
  size_t split = 0;
  exchange(&words[count / 2], &words[count - 1]);
  for (size_t i = 0; i + 1 < count; i++) {
    if (text_compare(words[i], words[count - 1]) < 0) exchange(&words[i], &words[split++]);
  }
  exchange(&words[split], &words[count - 1]);
  sort_words(words, split);
  sort_words(words + split + 1, count - split - 1);
}
