def handler(request):
    return "Hi from 2nd ROM!\n"
