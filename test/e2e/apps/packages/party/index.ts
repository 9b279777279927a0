import { type Connection, type ConnectionContext, routePartykitRequest, Server, type WSMessage } from 'partyserver';

type Env = { Chat: DurableObjectNamespace<Chat> };

export class Chat extends Server<Env> {
    static options = { hibernate: true };

    getConnectionTags(_: Connection, { request }: ConnectionContext) {
        return [new URL(request.url).searchParams.get('tag') ?? 'none'];
    }

    onConnect(connection: Connection) {
        connection.setState({ seat: [...this.getConnections()].length });
        connection.send(`welcome ${connection.id} to ${this.name}`);
        this.broadcast(`joined ${connection.id}`, [connection.id]);
    }

    onMessage(connection: Connection<{ seat: number }>, message: WSMessage) {
        if (message === 'count') {
            connection.send(JSON.stringify([[...this.getConnections()].length, [...this.getConnections('a')].length, connection.state?.seat]));
        } else {
            this.broadcast(`${connection.id}: ${message}`);
        }
    }

    onClose(connection: Connection, code: number) {
        this.broadcast(`left ${connection.id} ${code}`, [connection.id]);
    }

    onRequest() {
        return Response.json({ name: this.name, connections: [...this.getConnections()].length });
    }
}

export default {
    fetch: async (request: Request, env: Env) => (await routePartykitRequest(request, env)) ?? new Response('Not Found', { status: 404 }),
};
