// C++ with its library: streams, containers, exceptions of the library, and text.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>

typedef long long number;

static number digest(const std::string &text) {
  return std::accumulate(text.begin(), text.end(), 7LL, [](number sum, unsigned char c) { return (sum * 31 + c) % 1000000007; });
}

static number written() {
  std::ostringstream out;
  out << std::hex << std::showbase << 255 << ' ' << std::dec << std::setw(8) << std::setfill('*') << -42 << ' '
      << std::fixed << std::setprecision(3) << 3.14159 << ' ' << std::boolalpha << true << ' ' << std::scientific << 12345.678;
  return digest(out.str());
}

static number read() {
  std::istringstream in("17 2.5 word 0x1f rest of the line\nnext");
  int first, fourth;
  double second;
  std::string third, line;
  in >> first >> second >> third >> std::hex >> fourth;
  std::getline(in, line);
  in >> third;
  return first * 1000000 + number(second * 1000) + fourth * 10 + number(line.size() + third.size()) + in.eof();
}

static number failing_stream() {
  std::istringstream in("no number");
  in.exceptions(std::ios::failbit);
  try {
    int value;
    in >> value;
  } catch (const std::ios_base::failure &) {
    return 1;
  }
  return 0;
}

static number thrown_by_library() {
  number sum = 0;
  try {
    std::vector<int>(3).at(7);
  } catch (const std::out_of_range &) {
    sum += 1;
  }
  try {
    std::stoi("x");
  } catch (const std::invalid_argument &problem) {
    sum += 10 * (std::string(problem.what()) == "stoi");
  }
  try {
    std::string("abc").substr(5);
  } catch (const std::logic_error &) {
    sum += 100;
  }
  try {
    throw std::runtime_error("own");
  } catch (const std::exception &problem) {
    sum += 1000 * (std::string(problem.what()) == "own") + 10000 * (typeid(problem) == typeid(std::runtime_error));
  }
  return sum;
}

static number containers() {
  std::map<std::string, std::vector<int>> index;
  std::istringstream words("to be or not to be that is the question");
  int position = 0;
  for (std::string word; words >> word;) index[word].push_back(position++);
  std::vector<std::pair<std::string, std::vector<int>>> sorted(index.begin(), index.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](auto &a, auto &b) { return a.second.size() > b.second.size(); });
  return digest(sorted[0].first + sorted[1].first) % 1000000 + number(sorted.size()) * 1000000;
}

static number standard_output() {
  // Its buffer is emptied before the module ends.
  std::cerr << std::flush;
  return std::cout.good() && std::cerr.good();
}

struct Counted {
  static int alive;
  Counted() { alive++; }
  ~Counted() { alive--; }
};
int Counted::alive = 0;

static number pointers() {
  auto shared = std::make_shared<Counted>();
  std::weak_ptr<Counted> weak = shared;
  std::unique_ptr<Counted> unique(new Counted);
  int alive = Counted::alive;
  shared.reset();
  unique.reset();
  return alive * 100 + Counted::alive * 10 + weak.expired();
}

static number (*const all[])() = {written, read, failing_stream, thrown_by_library, containers, standard_output, pointers};

extern "C" int questions() { return sizeof all / sizeof *all; }
extern "C" number answer(int question) { return all[question](); }
