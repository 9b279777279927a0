// Who sits at this window. The first window of a browser is its owner and keeps its name for the next visit; every further
// window that is open at the same time is somebody else, so that one person can try a conversation alone.
const COLOURS = ['Amber', 'Coral', 'Indigo', 'Ivory', 'Jade', 'Misty', 'Pearl', 'Rusty', 'Sandy', 'Silver', 'Teal', 'Umber'];
const CREATURES = ['Anchor', 'Cormorant', 'Crab', 'Dolphin', 'Heron', 'Kelp', 'Limpet', 'Otter', 'Puffin', 'Seal', 'Starfish', 'Urchin'];

const any = (list) => list[Math.floor(Math.random() * list.length)];

function newId() {
    return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36).padStart(2, '0')).join('');
}

/** True in one window of this browser only, for as long as that window lives. */
function isOwner() {
    if (!navigator.locks) return Promise.resolve(false);
    return new Promise((resolve) => {
        navigator.locks.request('owner', { ifAvailable: true }, (lock) => {
            resolve(!!lock);
            return lock && new Promise(() => {});
        });
    });
}

export async function identity() {
    const shelf = (await isOwner()) ? localStorage : sessionStorage;
    let me = null;

    try {
        me = JSON.parse(shelf.getItem('me'));
    } catch {
        // Written by something else: begin anew.
    }
    if (!me?.id) me = { id: newId(), name: `${any(COLOURS)} ${any(CREATURES)}` };
    const keep = () => shelf.setItem('me', JSON.stringify(me));

    keep();
    return {
        get id() {
            return me.id;
        },
        get name() {
            return me.name;
        },
        set name(name) {
            me.name = name;
            keep();
        },
    };
}
