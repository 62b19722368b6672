// Virtual functions, multiple and virtual inheritance, pointers to members.
#include <cstdio>
struct Shape { virtual double area() const = 0; virtual ~Shape() {} int id = 7; };
struct Named { virtual const char *name() const { return "shape"; } virtual ~Named() {} long pad = 1; };
struct Square : Shape, Named { double side; explicit Square(double s) : side(s) {} double area() const override { return side * side; } const char *name() const override { return "square"; } };
struct Base { int n = 1; virtual int value() { return n; } virtual ~Base() {} };
struct Left : virtual Base { int value() override { return n + 10; } };
struct Right : virtual Base { int r = 5; };
struct Both : Left, Right { int value() override { return Left::value() + r; } };
static int made;
int main() {
  Square square(1.5);
  const Shape &shape = square;
  const Named &named = square;
  Both both;
  Base *base = &both;
  int (Base::*member)() = &Base::value;
  made++;
  std::printf("%g %s %d %d %d\n", shape.area(), named.name(), base->value(), (base->*member)(), dynamic_cast<const Square *>(&named) != nullptr);
  return made;
}
