#include "parts.h"

static const double accuracy = 1e-12;

double newton_root(double value) {
  double root = value > 1 ? value : 1;
  for (;;) {
    double better = (root + value / root) / 2;
    double step = root - better;
    root = better;
    if (step < accuracy * root) return root;
  }
}
