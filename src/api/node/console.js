// node:console is the console.
export default Object.assign(Object.create(globalThis.console), { default: globalThis.console });
