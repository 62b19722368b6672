/*
 * Plucked strings (Karplus and Strong, 1983): noise as long as one period runs in a circle, and loses some of its
 * height and of its roughness each time around.
 */
#include <stdint.h>

enum { STRINGS = 8, LONGEST = 2048 };

/* How much of its height a string keeps each time around. */
#ifndef SUSTAIN
#define SUSTAIN 0.998f
#endif

struct string {
  float circle[LONGEST];
  uint32_t length, at;
  /* An all-pass filter makes the circle longer by a part of a sample, so that the string is in tune. */
  float stretch, last, last_mean, last_out;
};

static struct string strings[STRINGS];
static uint32_t noise = 1;

/* Plucks a string; its period is in samples, from 4 to 2048. */
void pluck(uint32_t string, float period, float loudness) {
  struct string *s = &strings[string % STRINGS];
  /* The mean of two neighbours takes half a sample, and the all-pass filter the rest: 0.1 to 1.1. */
  s->length = (uint32_t)(period - 0.6f);
  float rest = period - 0.5f - (float)s->length;
  s->stretch = (1 - rest) / (1 + rest);
  s->at = 0;
  s->last = s->last_mean = s->last_out = 0;
  float sum = 0;
  for (uint32_t i = 0; i < s->length; i++) {
    noise = noise * 1664525u + 1013904223u;
    s->circle[i] = loudness * ((float)(noise >> 8) / 8388608.0f - 1);
    sum += s->circle[i];
  }
  for (uint32_t i = 0; i < s->length; i++) s->circle[i] -= sum / (float)s->length;
}

static float next_sample(struct string *s) {
  float sample = s->circle[s->at];
  float mean = SUSTAIN * 0.5f * (sample + s->last);
  float out = s->stretch * (mean - s->last_out) + s->last_mean;
  s->last = sample;
  s->last_mean = mean;
  s->last_out = out;
  s->circle[s->at] = out;
  if (++s->at == s->length) s->at = 0;
  return sample;
}

/* Writes the next samples of all strings together. */
void render(int16_t *out, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    float sum = 0;
    for (uint32_t string = 0; string < STRINGS; string++) {
      if (strings[string].length > 0) sum += next_sample(&strings[string]);
    }
    sum = sum > 1 ? 1 : sum < -1 ? -1 : sum;
    out[i] = (int16_t)(sum * 32767);
  }
}
