// Exceptions, run-time types, templates, and objects with constructors and destructors: what C++ needs of a linker and
// a loader. No header of its standard library is used, since compilers for other systems come without it.
typedef long long number;

#ifdef _MSC_VER
// Only Microsoft's static libraries have these.
extern "C" void *malloc(decltype(sizeof 0));
extern "C" void free(void *);
void *operator new(decltype(sizeof 0) size) { return malloc(size); }
void operator delete(void *memory) noexcept { free(memory); }
void operator delete(void *memory, decltype(sizeof 0)) noexcept { free(memory); }
#endif

#define KEPT __attribute__((noinline))
static volatile int never_zero = 1;

// What happens, in its order: digits of a number.
static number trace = 0;
static void mark(int digit) { trace = trace * 10 + digit; }
static number traced() {
  number result = trace;
  trace = 0;
  return result;
}

struct Problem {
  int code;
  explicit Problem(int code) : code(code) {}
  Problem(const Problem &other) : code(other.code) {}
  virtual ~Problem() {}
  virtual int weight() const { return code; }
};
struct Worse : Problem {
  int more;
  explicit Worse(int code) : Problem(code), more(1000) {}
  int weight() const override { return code * 2 + more; }
};
struct Unrelated {
  double value;
};

struct Guard {
  int digit;
  explicit Guard(int digit) : digit(digit) {}
  ~Guard() { mark(digit); }
};

KEPT static int fails(int way) {
  Guard guard(1);
  if (way == 1) throw 17;
  if (way == 2) throw Problem(5);
  if (way == 3) throw Worse(6);
  if (way == 4) throw Unrelated{2.5};
  if (way == 5) throw "text";
  return way;
}

// Unwinds a frame with two objects.
KEPT static int passes(int way) {
  Guard outer(2);
  Guard inner(3);
  return fails(way);
}

KEPT static number catches(int way) {
  try {
    return passes(way * never_zero);
  } catch (int code) {
    return 100 + code;
  } catch (const Problem &problem) {
    return 200 + problem.weight();
  } catch (const char *text) {
    return 300 + text[0];
  } catch (...) {
    return 400;
  }
}
static number each_caught() {
  number sum = 0;
  for (int way = 0; way < 6; way++) sum = sum * 1000 + catches(way) % 1000;
  traced();
  return sum;
}
static number unwound() {
  catches(3);
  return traced();
}

static number rethrown() {
  try {
    try {
      passes(3);
    } catch (const Problem &problem) {
      mark(problem.code);
      throw;
    }
  } catch (Worse &worse) {
    return traced() * 10000 + worse.weight();
  }
  return -1;
}

// An exception while another one is handled.
static number nested() {
  try {
    passes(2);
  } catch (Problem &first) {
    try {
      throw Worse(first.code + 1);
    } catch (const Problem &second) {
      return traced() * 10000 + first.weight() + second.weight();
    }
  }
  return -1;
}

// A constructor fails when one member is complete.
struct Half {
  Guard first{7};
  int rest;
  explicit Half(int way) : rest(fails(way)) {}
  ~Half() { mark(9); }
};
static number half_made() {
  try {
    Half *half = new Half(1 * never_zero);
    delete half;
  } catch (int) {
    return traced();
  }
  return -1;
}

// A loop of exceptions: nothing is left over of any.
static number many() {
  number sum = 0;
  for (int i = 0; i < 1000; i++) sum += catches(1 + i % 5);
  trace = 0;
  return sum;
}

// Run-time types, with two bases.
struct Left {
  int left = 1;
  virtual ~Left() {}
  virtual int side() { return left; }
};
struct Right {
  int right = 2;
  virtual ~Right() {}
  virtual int side() { return right; }
};
struct Both : Left, Right {
  int side() override { return left + right * 10; }
};
struct Diamond : virtual Problem {
  Diamond() : Problem(4) {}
};
KEPT static Right *make(bool both) {
  if (both) return new Both;
  return new Right;
}
static number types() {
  Right *both = make(true), *right = make(false);
  Both *down = dynamic_cast<Both *>(both);
  number sum = both->side() * 100 + right->side() * 10;
  sum += down != nullptr && dynamic_cast<Both *>(right) == nullptr && dynamic_cast<Left *>(both) == down;
  delete both;
  delete right;
  return sum;
}
static number virtual_base() {
  try {
    throw Diamond();
  } catch (const Problem &problem) {
    return problem.weight();
  }
}

// Statics: of the file, of a function, of a template, and of a class.
struct Counted {
  static int alive;
  int value;
  explicit Counted(int value) : value(value) { alive++; }
  ~Counted() { alive--; }
};
int Counted::alive = 0;
static Counted of_file(catches(0) + 5);
static Counted array_of_file[3] = {Counted(1), Counted(2), Counted(3)};
KEPT static Counted &of_function(int value) {
  static Counted object(value);
  return object;
}
static number statics() {
  number before = of_function(30).value + of_function(40).value;
  return before * 1000 + of_file.value * 100 + array_of_file[2].value * 10 + Counted::alive;
}

template <class T> struct Tally {
  static T sum;
  static T add(T value) { return sum += value; }
};
template <class T> T Tally<T>::sum = T(1);
static number templates() {
  number result = Tally<int>::add(4 * never_zero) * 100 + (number)(Tally<double>::add(0.5) * 10);
  Tally<int>::sum = 1, Tally<double>::sum = 1;
  return result;
}

template <class F> KEPT static int twice(F function) { return function(1) + function(2); }
static number lambdas() {
  int base = 10 * never_zero;
  return twice([base](int x) { return base * x; }) + twice([&base](int x) { return base += x; });
}

// Members by pointer, virtual and not.
struct Calls {
  int plain(int x) { return x + 1; }
  virtual int open(int x) { return x + 2; }
};
struct Opened : Calls {
  int open(int x) override { return x * 100; }
};
static int (Calls::*const members[])(int) = {&Calls::plain, &Calls::open};
static number member_pointers() {
  Opened object;
  return (object.*members[0])(1) + (object.*members[never_zero])(3);
}

// Tells the host when the module ends, when its objects are destroyed.
static int *ends = nullptr;
static int ended = 0;
struct End {
  ~End() {
    if (ends != nullptr) *ends = Counted::alive + 100 * ended;
  }
};
static End end;

// Objects of a thread, made when it first uses one. In MSVC's environment modules cannot have them.
struct Own {
  int value;
  explicit Own(int value) : value(value) {}
  ~Own() { ended += value; }
};
#ifdef _MSC_VER
static Own own(6 * catches(0) + 6), counted(30);
#else
static thread_local Own own(6 * catches(0) + 6), counted(30);
#endif
static number of_threads() { return own.value++ * 100 + counted.value + ended; }

static number (*const all[])() = {each_caught, unwound, rethrown, nested, half_made, many, types, virtual_base, statics,
                                  templates, lambdas, member_pointers, of_threads};

extern "C" int questions() { return sizeof all / sizeof *all; }
extern "C" number answer(int question) { return all[question](); }
extern "C" void watch_end(int *cell) { ends = cell; }
