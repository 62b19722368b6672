// The C++ library's containers and algorithms, made and destroyed in main.
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>
static unsigned runs;
int main() {
  std::vector<int> numbers;
  std::map<std::string, int> words;
  for (unsigned i = 0; i < 50; i++) numbers.push_back(static_cast<int>(i * 37 % 101));
  std::sort(numbers.begin(), numbers.end());
  for (const char *word : { "the", "cat", "and", "the", "a string that is too long to be stored in place" }) words[word]++;
  std::string text;
  for (const auto &[word, count] : words) text += word.substr(0, 8) + "=" + std::to_string(count) + ";";
  runs++;
  std::printf("%d %zu %s %u\n", numbers[25], words.size(), text.c_str(), runs);
  return static_cast<int>(runs);
}
