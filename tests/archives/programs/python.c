#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* The interpreter's core, which needs no file of the standard library, evaluates expressions and raises. */
int check(void) {
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config._init_main = 0;
  PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) return 1;
  static const char program[] =
    "class Failure(Exception): pass\n"
    "def deep(n):\n"
    "  if n == 0: raise Failure('deep')\n"
    "  try: return deep(n - 1)\n"
    "  except Failure as failure: raise Failure(f'{failure} {n}') from failure\n"
    "try: deep(3)\n"
    "except Failure as failure: text = str(failure)\n"
    "import math, itertools\n"
    "power = 2 ** 200 % 1000003\n"
    "near = abs(math.acos(0.5) * 3 - math.pi) < 1e-12\n"
    "word = ''.join(sorted('interpreter', key=lambda letter: -ord(letter)))\n"
    "total = sum(itertools.islice((x * x for x in itertools.count()), 5))\n";
  int answer = 2;
  if (PyRun_SimpleString(program) == 0) {
    PyObject *names = PyModule_GetDict(PyImport_AddModule("__main__"));
    PyObject *value = PyRun_String(
      "12 + total if (text, word, power, near) == ('deep 1 2 3', 'ttrrrpnieee', pow(2, 200, 1000003), True) else 3",
      Py_eval_input, names, names);
    answer = value == NULL ? 4 : (int)PyLong_AsLong(value);
    Py_XDECREF(value);
  }
  return Py_FinalizeEx() == 0 ? answer : 5;
}
