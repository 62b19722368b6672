#include <mpfr.h>
#include <string.h>

/* Pi to 100 decimal digits, and e by its series. */
int check(void) {
  static const char digits[] = "3.1415926535897932384626433832795028841971693993751058209749445923078164062862089986280348253421170680";
  char text[128];
  mpfr_t pi, e, term;
  mpfr_init2(pi, 400);
  mpfr_inits2(400, e, term, (mpfr_ptr)0);
  mpfr_const_pi(pi, MPFR_RNDN);
  mpfr_snprintf(text, sizeof text, "%.100Rf", pi);
  int good = strcmp(text, digits) == 0;
  mpfr_set_ui(e, 1, MPFR_RNDN);
  mpfr_exp(term, e, MPFR_RNDN);
  mpfr_log(term, term, MPFR_RNDN);
  mpfr_sub(term, term, e, MPFR_RNDN);
  mpfr_abs(term, term, MPFR_RNDN);
  good &= mpfr_cmp_d(term, 1e-100) < 0;
  mpfr_clears(pi, e, term, (mpfr_ptr)0);
  mpfr_free_cache();
  return good ? 42 : 1;
}
