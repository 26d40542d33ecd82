// A clock for deadlines that another machine counts too: it never stands still while time passes, also not while the machine
// is suspended (when the monotonic clock stops on Linux), and never goes back (as the wall clock may).

/** Milliseconds since it was made: at each reading it goes on by what the faster of the two clocks has gone on. */
export function createSteadyClock(
  clocks: { monotonic(): number; wall(): number } = { monotonic: () => performance.now(), wall: () => Date.now() },
): () => number {
  let monotonic = clocks.monotonic();
  let wall = clocks.wall();
  let elapsed = 0;
  return () => {
    const [newMonotonic, newWall] = [clocks.monotonic(), clocks.wall()];
    elapsed += Math.max(newMonotonic - monotonic, newWall - wall, 0);
    monotonic = newMonotonic;
    wall = newWall;
    return elapsed;
  };
}
