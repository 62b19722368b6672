/* The frames of native code that has called a callback. */
#ifndef CALLERS_H
#define CALLERS_H
#include "guard.h"

/* callback_code.c */
#pragma GCC visibility push(hidden)
extern const char smf_callback[];
#pragma GCC visibility pop
#if defined(FOR_WINDOWS)
int smf_register_callbacks(void);
#else
#define smf_register_callbacks() 1
#endif
/*
 * Of the code's frame, in words from its frame pointer: where the record is, where its own
 * address is, where its caller's frame ends, and the return address and the frame pointer that its caller has.
 * Near those are the other registers that belong to callers.
 */
#if defined(FOR_WINDOWS)
enum { RECORD_WORD = 4, OWN_WORD = 5, END_WORD = 16, RETURN_WORD = 15, POINTER_WORD = 14 };
#elif defined(__x86_64__)
enum { RECORD_WORD = -6, OWN_WORD = -7, END_WORD = 2, RETURN_WORD = 1, POINTER_WORD = 0 };
#else
enum { RECORD_WORD = 12, OWN_WORD = 13, END_WORD = 14, RETURN_WORD = 1, POINTER_WORD = 0 };
#endif

#endif
