/* Particles that fall and bounce in a box of 1 by 1. The second version also knows how hot they are. */

enum { COUNT = 40 };

struct particle {
  float x, y;
  float vx, vy;
  char name[4];
#if VERSION == 2
  float heat;
#endif
};

struct particle particles[COUNT];
double elapsed;

static unsigned noise = 1;

static float between(float low, float high) {
  noise = noise * 1664525u + 1013904223u;
  return low + (high - low) * (float)(noise >> 8) / 16777216.0f;
}

/* Gives every particle a place, a speed and a name. */
void scatter(unsigned seed) {
  noise = seed;
  for (int i = 0; i < COUNT; i++) {
    struct particle *p = &particles[i];
    p->x = between(0.05f, 0.95f);
    p->y = between(0.5f, 0.95f);
    p->vx = between(-0.6f, 0.6f);
    p->vy = 0;
    p->name[0] = 'p';
    p->name[1] = (char)('0' + i / 10);
    p->name[2] = (char)('0' + i % 10);
    p->name[3] = 0;
  }
}

static int bounce(float *place, float *speed) {
  if (*place >= 0 && *place <= 1) return 0;
  *place = *place < 0 ? -*place : 2 - *place;
  *speed *= -0.85f;
  return 1;
}

/* Moves all particles by a time in seconds; returns how many bounced. */
int step(float time) {
  int bounces = 0;
  for (int i = 0; i < COUNT; i++) {
    struct particle *p = &particles[i];
    p->vy -= 1.5f * time;
    p->x += p->vx * time;
    p->y += p->vy * time;
    int hits = bounce(&p->x, &p->vx) + bounce(&p->y, &p->vy);
#if VERSION == 2
    p->heat = p->heat * (1 - time) + (float)hits;
#endif
    bounces += hits;
  }
  elapsed += time;
  return bounces;
}
