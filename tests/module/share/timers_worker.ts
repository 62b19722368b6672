/** A Worker that revokes a control block to which nobody is attached, and tells whether that looked at timers. */
const looked: string[] = [];
for (const name of ["setTimeout", "clearTimeout"] as const) {
  const value = globalThis[name];
  Object.defineProperty(globalThis, name, {
    configurable: true,
    get: () => {
      looked.push(name);
      return value;
    },
  });
}
const { ControlOwner } = await import("../../../src/module/share/control.ts");
new ControlOwner().revoke(() => {
  (globalThis as unknown as { postMessage(message: unknown): void }).postMessage(looked);
});
