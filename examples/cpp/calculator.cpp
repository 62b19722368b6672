// A calculator that throws if an expression makes no sense, and catches the exception before it returns.
// Version 2 knows powers: build with -DVERSION=2.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <string>

#ifndef VERSION
#define VERSION 1
#endif

namespace {

class Parser {
public:
  explicit Parser(const std::string &text) : text(text) {}

  double whole() {
    double value = sum();
    if (peek() != '\0') fail("unexpected '" + std::string(1, peek()) + "'");
    return value;
  }

private:
  const std::string &text;
  size_t at = 0;

  [[noreturn]] void fail(const std::string &problem) {
    throw std::invalid_argument(problem + " at " + std::to_string(at + 1));
  }

  char peek() {
    while (at < text.size() && text[at] == ' ') at++;
    return at < text.size() ? text[at] : '\0';
  }

  bool take(char letter) {
    if (peek() != letter) return false;
    at++;
    return true;
  }

  double sum() {
    double value = product();
    for (;;) {
      if (take('+')) value += product();
      else if (take('-')) value -= product();
      else return value;
    }
  }

  double product() {
    double value = power();
    for (;;) {
      if (take('*')) {
        value *= power();
      } else if (take('/')) {
        double divisor = power();
        if (divisor == 0) throw std::domain_error("division by zero");
        value /= divisor;
      } else {
        return value;
      }
    }
  }

  double power() {
    double base = atom();
#if VERSION >= 2
    if (take('^')) return std::pow(base, power());
#endif
    return base;
  }

  double atom() {
    if (take('(')) {
      double value = sum();
      if (!take(')')) fail("')' is missing");
      return value;
    }
    if (take('-')) return -atom();
    peek();
    std::istringstream number(text.substr(at));
    double value;
    if (!(number >> value)) fail("a number is missing");
    at = number.eof() ? text.size() : at + static_cast<size_t>(number.tellg());
    return value;
  }
};

} // namespace

// The number of calculated expressions; a reload carries it.
extern "C" int32_t calculated = 0;

// Writes the value or an error to `out`; returns the length of the text.
extern "C" size_t calculate(const char *expression, char *out, size_t capacity) {
  std::string text;
  try {
    std::ostringstream line;
    line << Parser(expression).whole();
    text = line.str();
    calculated++;
  } catch (const std::exception &error) {
    text = std::string("error: ") + error.what();
  }
  size_t length = text.size() < capacity ? text.size() : capacity;
  std::memcpy(out, text.data(), length);
  return length;
}
