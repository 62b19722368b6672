/* Calls visit(), a JavaScript function, for each prime below a limit. */
void visit(int prime);

int visit_primes(int limit) {
  int count = 0;
  for (int candidate = 2; candidate < limit; candidate++) {
    int is_prime = 1;
    for (int divisor = 2; divisor * divisor <= candidate; divisor++) {
      if (candidate % divisor == 0) is_prime = 0;
    }
    if (is_prime) {
      visit(candidate);
      count++;
    }
  }
  return count;
}
