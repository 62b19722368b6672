#include <re2/re2.h>
#include <string>

/* Captures, replacement, a set of Unicode characters, and an expression that is refused. */
extern "C" int check() {
  int year = 0, month = 0;
  if (!RE2::FullMatch("2026-11", "(\\d{4})-(\\d\\d)", &year, &month) || year != 2026 || month != 11) return 1;
  std::string text = "one two three";
  if (RE2::GlobalReplace(&text, "(\\w+)", "<\\1>") != 3 || text != "<one> <two> <three>") return 2;
  if (!RE2::PartialMatch("\xce\xb1\xce\xb2\xce\xb3", "^\\p{Greek}{3}$")) return 3;
  RE2::Options quiet;
  quiet.set_log_errors(false);
  if (RE2("(unclosed", quiet).ok()) return 4;
  return 42;
}
