// Waiting with a deadline for what callbacks bring.

/** What must come has so long: only a test that fails waits to the end, on a busy machine nothing else does. */
export const PATIENCE_MS = 40_000;

/** Whoever brings something rings; whoever waits looks again. */
export class Bell {
    #wake = () => {};

    ring() {
        this.#wake();
    }

    /** Until ready() is true; after ms it fails with the text of late(). */
    async wait(ready, ms, late) {
        const end = Date.now() + ms;

        while (!ready()) {
            const left = end - Date.now();

            if (left <= 0) throw new Error(late());
            await new Promise((resolve) => {
                const timer = setTimeout(resolve, left);

                this.#wake = () => {
                    clearTimeout(timer);
                    resolve();
                };
            });
        }
    }
}
