import { createServer } from 'node:http';

// A process: takes WhatsApp messages as the Cloud API does and forgets them; Daraja's calls too.

let taken = 0;
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    taken += 1;
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        messages: [{ id: `wamid.${taken}` }],
        access_token: 'bench',
        expires_in: '3599',
        ResponseCode: '0',
        ResponseDescription: 'Success',
      }),
    );
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(`listens on ${typeof address === 'object' ? address?.port : ''}`);
});
